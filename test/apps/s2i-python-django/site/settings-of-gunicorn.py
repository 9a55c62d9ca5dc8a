threads = 2
timeout = 50


def post_worker_init(worker):
    worker.log.warning("the settings of gunicorn are read: timeout %s", worker.cfg.timeout)
