"""Local runs: a process that executes the pipeline with `kfp.local`, its progress, and the results it leaves."""
