"""What may come in: source cards (where, licence, consent, sensitivity) and one streaming reader per raw format."""
