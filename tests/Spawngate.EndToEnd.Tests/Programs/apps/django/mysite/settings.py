SECRET_KEY = "for tests"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "mysite.urls"
USE_TZ = True
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
