GREETING = "from a package named main\n"
