"""Hash lists of evaluation sets, and how they were made. No text of any item is in here."""
