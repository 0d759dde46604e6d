"""What runs where somebody deploys the app; nothing of it is deployed."""
