"""What chooses actions, and how it learns: IQL, VDN and QMIX."""
