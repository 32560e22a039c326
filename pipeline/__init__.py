"""Build scripts of the book: environment, execution, freshness, site check, screenshots; run by `make`."""
