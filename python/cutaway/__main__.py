"""`python -m cutaway` is the command `cutaway`."""

from .cli import main

raise SystemExit(main())
