"""What models were asked and answered in searches, as data to train on: from the store to lines of JSON."""
