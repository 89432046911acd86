"""The rules of an opinion: what may be asked, what an answer rests on, what is refused."""
