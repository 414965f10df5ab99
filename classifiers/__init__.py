"""What a text is: the taxonomy, the models that score texts against it, and how they were trained and measured."""
