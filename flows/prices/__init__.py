"""Prices that refresh themselves: what public price lists answer becomes dated parts of the lake, which nights read."""
