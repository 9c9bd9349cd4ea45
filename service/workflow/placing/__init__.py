"""From a request to an admission: screening, the queue, decisions, offers, answers."""
