"""Money: the price book, cloud bills, and the rate of every place that follows from them."""
