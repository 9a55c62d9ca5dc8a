"""What taxiway runs inside the application's own interpreter: standard library only."""
