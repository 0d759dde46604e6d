"""The outside world to run against: bank, document reader, tax office, rates, mail, orders."""
