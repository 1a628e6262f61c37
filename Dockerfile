# Generated files are committed, so the build needs only Go.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The image has no repository: docker build --build-arg VERSION="$(git describe --always --dirty)"
ARG VERSION=""
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X main.linkedVersion=$VERSION" -o /usher ./cmd/usher

FROM scratch
ARG VERSION=""
LABEL org.opencontainers.image.title="Usher" org.opencontainers.image.version="$VERSION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usher /usher
ENV APP_ENV=production ADDR=:4312
USER 65532:65532
EXPOSE 4312
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s CMD ["/usher", "healthcheck"]
ENTRYPOINT ["/usher"]
