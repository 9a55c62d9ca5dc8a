"""Entry point of the command line."""


def main() -> None:
    """Run the command line; `start` takes a short way that imports as little as possible."""


if __name__ == "__main__":
    main()
