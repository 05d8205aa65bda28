"""What is compared of two objects, and of an object and its plan."""
