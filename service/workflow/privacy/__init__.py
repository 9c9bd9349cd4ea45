"""Who may know what, who has read it, and what an auditor is shown unasked."""
