"""At the top of the repository, outside of APP_HOME: the top is on the import path too."""

MOTTO = "one repository, several parts"
