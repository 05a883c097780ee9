# Spawngate on nothing: one executable and a folder for its configuration. docs/how-to/container.md says how to run it.
#
#   docker build -t spawngate .
#   docker run -p 80:80 -v "$PWD/etc:/etc/spawngate:ro" spawngate
#
# Without a registry at hand, build the executable with ./build.sh --static and make the image of what stands below `FROM scratch`.

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev zlib1g-dev lld && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN ./build.sh --static

FROM scratch
COPY --from=build /source/artifacts/spawngate-static /spawngate
# The configuration is config.toml in the current folder. Mount the folder, not the file: editors replace a file, and a mounted one stays the old one.
WORKDIR /etc/spawngate
HEALTHCHECK --interval=30s --timeout=6s --start-period=5s CMD ["/spawngate", "check", "--live"]
ENTRYPOINT ["/spawngate"]
