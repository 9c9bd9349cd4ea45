"""Clocks, the due list, and every place judged anew."""
