"""The training job: started detached, resumable to the bit, honest about its device, its time and its memory."""
