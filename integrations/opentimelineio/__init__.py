"""OpenTimelineIO: timelines of harmonized shots."""
