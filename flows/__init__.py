"""Everything that touches the world, in the order it happens: fetch, extract, estimate, build, report, publish."""
