"""What a base and a robot's process share: messages, transport, emergency stop. Runs on a robot."""
