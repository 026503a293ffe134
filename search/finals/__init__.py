"""Final networks: trained to the end on all images but the test part, which is read once."""
