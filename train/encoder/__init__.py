"""Training an encoder: what finds the latents of a picture, from the discriminator of a run."""
