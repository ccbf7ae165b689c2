"""Fetches every model of the catalogue that is not on this machine yet. Status 1 if one could not be fetched."""

import sys

import cutaway as ca
from cutaway.catalogue import resolve


def main() -> int:
    status = 0
    for model in ca.models():
        try:
            resolve(model.name)
        except ca.Error as err:
            print(err, file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main())
