import time

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def index(request):
    return HttpResponse("Hello, world. You're at the polls index.")


@csrf_exempt
def echo(request):
    return HttpResponse(request.body)


def rows(request):
    pause = int(request.GET.get("ms", 50)) / 1000

    def generate():
        for row in range(1, 101):
            yield f"row {row}\n"
            time.sleep(pause)

    return StreamingHttpResponse(generate(), content_type="text/csv")


urlpatterns = [path("", index), path("echo", echo), path("rows", rows)]
