"""What a run leaves behind: scores, verdicts, pictures, a report, exports."""
