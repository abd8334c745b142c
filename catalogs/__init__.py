"""What we declare: data files and the schemas they must meet."""
