"""What a network is and costs: its description, the zoo, its layers and their cost."""
