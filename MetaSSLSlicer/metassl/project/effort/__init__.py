"""What it will cost a person to make a prediction right: errors deeper than a tolerance, the slices that hold them, and
the seconds that these take."""
