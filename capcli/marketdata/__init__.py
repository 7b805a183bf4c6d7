"""Markets, prices, candles, watchlists and streams."""
