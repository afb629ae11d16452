"""Parts of the section "Review"."""
