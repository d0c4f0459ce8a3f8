"""`python -m aegis_enrich` is `aegis-enrich`."""

from .cli import main

if __name__ == "__main__":
    main()
