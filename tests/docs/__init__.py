"""Tests of pages of the documentation that need data of their own."""
