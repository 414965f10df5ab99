"""What happens to a text: recipe -> plan -> stages -> shards."""
