"""What the API of any cluster shows of its nodes: for clusters whose hosts let nobody in."""
