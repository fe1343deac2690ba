"""`python -m fleetmix`."""

from fleetmix import main

if __name__ == "__main__":
    main()
