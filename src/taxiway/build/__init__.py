"""Acting: the steps of a build, one module each."""
