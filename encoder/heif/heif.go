package heif
