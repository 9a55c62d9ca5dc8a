SHELL = True
