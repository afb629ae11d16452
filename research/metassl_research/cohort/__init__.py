"""A whole project played by an oracle: how many minutes of a person it takes until every case has its final label."""
