"""The project in tables: cases, rounds, ranking; new ones, the sample, export."""
