ANSWER = "from the back\n"
