"""What is measured of a part by itself: methods, flow, the detection of cuts."""
