"""The systems that the app calls: bank, document reader, tax office, rates, mail and orders."""
