"""The application's dependencies: reading what is asked for, and installing it."""
