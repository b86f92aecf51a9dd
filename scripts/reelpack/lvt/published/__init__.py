"""What passes between here and the published code, github rakhimovv/lvt."""
